import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key in PEM. */
export type Pair = { cert: string; key: string };

/** A certificate authority of its own, made with openssl in a folder that `close` removes. */
export function createAuthority(name = 'Test CA') {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tls-'));
  const path = (file: string) => join(folder, file);
  const read = (file: string) => readFileSync(path(file), 'utf8');
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', `/CN=${name}`);
  let issued = 0;

  return {
    cert: read('ca.pem'),
    key: read('ca.key'),
    /** A certificate for these names and addresses; `expired` makes one of last year. */
    issue(names: readonly string[], { expired = false } = {}): Pair {
      const id = `leaf${(issued += 1)}`;
      const alternatives = names.map((one) => (/^[\d.]+$|:/.test(one) ? `IP:${one}` : `DNS:${one}`));
      writeFileSync(path(`${id}.ext`), `subjectAltName=${alternatives.join(',')}\n`);
      openssl('req', ...newKey, '-keyout', `${id}.key`, '-out', `${id}.csr`, '-subj', `/CN=${names[0]}`);
      const [start, end] = expired ? ['20240101000000Z', '20250101000000Z'] : [stamp(-1), stamp(2)];
      writeFileSync(path('ca.cnf'), CA_CONFIG);
      writeFileSync(path('index.txt'), '');
      openssl(
        ...['ca', '-batch', '-notext', '-config', 'ca.cnf', '-in', `${id}.csr`, '-out', `${id}.pem`],
        ...['-extfile', `${id}.ext`, '-startdate', start, '-enddate', end],
      );
      return { cert: read(`${id}.pem`), key: read(`${id}.key`) };
    },
    /** The same key, encrypted. */
    encrypt(key: string): string {
      writeFileSync(path('plain.key'), key);
      return openssl('pkey', '-in', 'plain.key', '-aes256', '-passout', 'pass:secret').toString();
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

// `openssl x509` sets no dates before version 3.4, only `openssl ca` does.
const CA_CONFIG = `
[ca]
default_ca = test
[test]
certificate = ca.pem
private_key = ca.key
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
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
}
