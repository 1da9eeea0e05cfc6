import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const A = 1;
const CNAME = 5;
const AAAA = 28;
const HEADER_BYTES = 12;

/** What the server knows of a name: where it points, or its addresses; undefined is never answered. */
export type Zone = (name: string, type: 'A' | 'AAAA') => { alias?: string; addresses?: string[] } | undefined;

/** A name server over UDP that follows aliases as a resolver does: the answer holds the whole chain. */
export async function startDns(zone: Zone) {
  const asked: string[] = [];
  const server = createSocket('udp4');
  server.on('message', (query, { port, address }) => {
    const { name, end } = readName(query);
    const type = query.readUInt16BE(end) === AAAA ? 'AAAA' : 'A';
    asked.push(`${name} ${type}`);
    const records = follow(zone, name, type);
    if (records === undefined) return;
    const header = Buffer.from(query.subarray(0, HEADER_BYTES));
    header.writeUInt16BE(0x8180, 2); // a response, recursion available
    header.writeUInt16BE(records.length, 6);
    header.writeUInt16BE(0, 8);
    header.writeUInt16BE(0, 10);
    server.send(Buffer.concat([header, query.subarray(HEADER_BYTES, end + 4), ...records]), port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${server.address().port}`,
    asked,
    close: () => new Promise<void>((done) => server.close(done)),
  };
}

function follow(zone: Zone, name: string, type: 'A' | 'AAAA'): Buffer[] | undefined {
  const known = zone(name, type);
  if (known?.alias !== undefined) {
    const rest = follow(zone, known.alias, type);
    return rest && [record(name, CNAME, nameBytes(known.alias)), ...rest];
  }
  return known?.addresses?.map((one) => record(name, type === 'A' ? A : AAAA, addressBytes(one)));
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(60, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([nameBytes(name), fixed, data]);
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

/** IPv4 in dots, IPv6 with all its eight groups. */
function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(
    address.split(':').flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]),
  );
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.subarray(at + 1, at + 1 + length).toString('latin1'));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}
