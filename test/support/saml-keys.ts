import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pair } from './tls.ts';

const DAY_MS = 86_400_000;

/** A key as IdPs sign with, and its own certificate, which ends so many days from now. */
export function createSigner(name = 'idp.example.com', { days = 365, key = 'rsa:2048' } = {}): Pair {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-saml-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: folder });
  try {
    writeFileSync(join(folder, 'ca.cnf'), CONFIG);
    writeFileSync(join(folder, 'index.txt'), '');
    const newKey = [
      '-newkey',
      key,
      '-nodes',
      ...(key === 'ec' ? ['-pkeyopt', 'ec_paramgen_curve:P-256'] : []),
    ];
    openssl('req', ...newKey, '-keyout', 'key.pem', '-out', 'csr.pem', '-subj', `/CN=${name}`);
    openssl(
      ...['ca', '-batch', '-selfsign', '-notext', '-config', 'ca.cnf', '-in', 'csr.pem', '-out', 'cert.pem'],
      ...['-startdate', stamp(Math.min(days, 0) - 1), '-enddate', stamp(days)],
    );
    return {
      cert: readFileSync(join(folder, 'cert.pem'), 'utf8'),
      key: readFileSync(join(folder, 'key.pem'), 'utf8'),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The certificate without its first and last line, as metadata has it. */
export function bareCertificate({ cert }: Pair): string {
  return cert.replaceAll(/-----[A-Z ]+-----|\s/g, '');
}

// `openssl req -x509` sets no end in the past, only `openssl ca` does.
const CONFIG = `
[ca]
default_ca = test
[test]
private_key = key.pem
database = index.txt
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
`;

function stamp(days: number): string {
  return `${new Date(Date.now() + days * DAY_MS).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
}
