import { LosslessNumber, parse, stringify } from 'lossless-json';
import type { Edit, Ids, Value } from './edits.ts';
import { DECISIVE, NEARLY } from './odd.ts';

type Container = { [key: string]: unknown };
type Place = { container: Container; key: string };
type JsonEdit = Extract<Edit, { kind: 'value' | 'twice' | 'drop' | 'rename' | 'swap' | 'wrap' }>;

/** Marks the second one of two equal keys until the JSON is text. */
const TWICE = '@twice@';

/** The body after an edit; one that has no place in this body leaves it as it is. */
export function applyEdit(body: Buffer, edit: Edit, other: Ids): Buffer {
  const at = 'at' in edit ? edit.at % Math.max(body.length, 1) : 0;
  const [before, after] = [body.subarray(0, at), body.subarray(at)];
  switch (edit.kind) {
    case 'flip': {
      const flipped = Buffer.from(body);
      if (at < flipped.length) flipped[at] = flipped[at]! ^ edit.mask;
      return flipped;
    }
    case 'insert':
      return Buffer.concat([before, edit.bytes, after]);
    case 'delete':
      return Buffer.concat([before, after.subarray(edit.length)]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, edit.length), after]);
    case 'cut':
      return before;
    case 'pad':
      return Buffer.concat([body, Buffer.alloc(Math.max(edit.bytes - body.length, 0), ' ')]);
    case 'whole':
      return Buffer.from(edit.text);
    default:
      return editJson(body, edit, other);
  }
}

function editJson(body: Buffer, edit: JsonEdit, other: Ids): Buffer {
  const root: Container = {};
  try {
    root.whole = parse(body.toString('utf8'));
  } catch {
    return body;
  }
  const places = placesIn(root);
  change(placeAt(places, edit.at), edit, places, other);
  return Buffer.from((stringify(root.whole) ?? '').replaceAll(TWICE, ''));
}

function change({ container, key }: Place, edit: JsonEdit, places: readonly Place[], other: Ids): void {
  const held = container[key];
  // The whole, and the items of lists, have no name.
  const isNamed = places[0]?.container !== container && !Array.isArray(container);
  if (edit.kind === 'value') put(container, key, madeOf(edit.value, held, other));
  if (edit.kind === 'drop') delete container[key];
  if (edit.kind === 'wrap') put(container, key, edit.name === '[]' ? [held] : wrapped(edit.name, held));
  if (edit.kind === 'twice' && isNamed) put(container, `${key}${TWICE}`, madeOf(edit.value, held, other));
  if (edit.kind === 'rename' && isNamed && edit.name !== key) {
    delete container[key];
    put(container, edit.name, held);
  }
  if (edit.kind === 'swap') swap({ container, key }, placeAt(places, edit.with));
}

function swap(one: Place, other: Place): void {
  const [mine, theirs] = [one.container[one.key], other.container[other.key]];
  // An object could come to stand inside itself.
  if (!isPlain(mine) || !isPlain(theirs)) return;
  put(one.container, one.key, theirs);
  put(other.container, other.key, mine);
}

/** Every other place is one that matters. */
function placeAt(places: readonly Place[], at: number): Place {
  const decisive = at % 2 === 0 ? places.filter(({ key }) => DECISIVE.includes(key)) : [];
  const pool = decisive.length > 0 ? decisive : places;
  return pool[Math.floor(at / 2) % pool.length]!;
}

function placesIn(container: Container): Place[] {
  return Object.keys(container).flatMap((key) => {
    const here = { container, key };
    const inner = container[key];
    return isPlain(inner) ? [here] : [here].concat(placesIn(inner as Container));
  });
}

function isPlain(held: unknown): boolean {
  return typeof held !== 'object' || held === null || held instanceof LosslessNumber;
}

function madeOf(wanted: Value, held: unknown, other: Ids): unknown {
  if ('nearly' in wanted) return typeof held === 'string' ? NEARLY[wanted.nearly]!(held) : [held];
  if ('number' in wanted) return new LosslessNumber(wanted.number);
  // A copy: the same edit is applied to many bodies, and later edits change what stands there.
  return 'other' in wanted ? other[wanted.other] : structuredClone(wanted.json);
}

function wrapped(name: string, inner: unknown): Container {
  const made: Container = {};
  put(made, name, inner);
  return made;
}

/** Also for `__proto__`, which must become a key like any other. */
function put(container: Container, key: string, held: unknown): void {
  Object.defineProperty(container, key, {
    value: held,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
