import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const TYPES = {
  'countersign.css': 'text/css; charset=utf-8',
  'device.js': 'text/javascript; charset=utf-8',
  'wait.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

type AssetName = keyof typeof TYPES;
/** A file as it is on disk when the program starts; the version changes with its content. */
export type Asset = { name: AssetName; type: string; bytes: Buffer; version: string };

/** Everything that pages load besides logos. */
export const ASSETS: readonly Asset[] = (Object.keys(TYPES) as AssetName[]).map((name) => {
  const bytes = readFileSync(fileURLToPath(new URL(`../../assets/${name}`, import.meta.url)));
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return { name, type: TYPES[name], bytes, version };
});

const URLS = new Map(ASSETS.map(({ name, version }) => [name, `/assets/${name}?v=${version}`]));

/** Where pages load it from; another content has another address. */
export function assetUrl(name: AssetName): string {
  return URLS.get(name)!;
}

/** Where pages load a tenant's logo from. */
export function logoUrl(tenantId: string, version: string): string {
  return `/assets/logo/${tenantId}/${version}`;
}
