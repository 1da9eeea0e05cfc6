import fc from 'fast-check';
import { applyEdit } from './edit-body.ts';
import { bigEdit, byteEdit, jsonEdit, often, record } from './edits.ts';
import type { Edit, Ids } from './edits.ts';
import { BREAKS } from './framing.ts';
import type { Vendor, Wire } from './vendor.ts';

/** What is sent, as data: together with a run's seed it makes the same webhook again. */
export type Case = {
  vendor: string;
  /** which run it is about, and which other one it may mention; any numbers */
  run: number;
  other: number;
  sample: number;
  /** changes to the body */
  edits: Edit[];
  /**
   * rightly: sealed after the changes, as if the vendor had made them; wrongly: the seal is spoiled, or made before the
   * changes; badly: a right webhook in a request that is none
   */
  signed: 'rightly' | 'wrongly' | 'badly';
  /** how the seal or the request is spoiled; `edited`: by the changes alone */
  spoiled: string;
  at: number;
  /** whether a body that is a valid decision after all is sent */
  mayDecide: boolean;
};

const EDITED = 'edited';
/** One in so many bodies that stayed a valid decision is sent: each ends a challenge, which then is of less use. */
const DECIDES_ONE_IN = 20;

const edit = fc.oneof(often(30, jsonEdit), often(15, byteEdit), often(1, bigEdit));
/** Mostly one: with several, nearly every body becomes one that is not understood at all. */
const edits = fc.oneof(
  often(3, fc.array(edit, { minLength: 1, maxLength: 1 })),
  often(1, fc.array(edit, { minLength: 2, maxLength: 4 })),
);

/** Mutated webhooks of one vendor. */
export function casesOf({ name, forgeries }: Vendor): fc.Arbitrary<Case> {
  const any = fc.nat(1_000_000);
  const mayDecide = fc.integer({ min: 1, max: DECIDES_ONE_IN }).map((n) => n === 1);
  const signed = (how: Case['signed'], changes: fc.Arbitrary<Edit[]>, ...spoiled: string[]) =>
    record<Case>({
      ...{ vendor: fc.constant(name), run: any, other: any, sample: any, at: any, mayDecide },
      ...{ signed: fc.constant(how), edits: changes, spoiled: fc.constantFrom(...spoiled) },
    });
  return fc.oneof(
    often(50, signed('rightly', edits, '')),
    often(25, signed('wrongly', fc.constant([]), ...Object.keys(forgeries))),
    often(20, signed('wrongly', edits, EDITED)),
    often(5, signed('badly', fc.constant([]), ...Object.keys(BREAKS))),
  );
}

/** The webhook that a case describes. */
export function wireOf(vendor: Vendor, case_: Case, about: Ids, other: Ids): Wire {
  const { signed, spoiled, at } = case_;
  const samples = vendor.samples(about);
  // Where nothing but broken HTTP stands between a body and its effect, it is one with an effect.
  const sample = signed === 'badly' ? samples[0]! : samples[case_.sample % samples.length]!;
  const edited = (body: Buffer) => case_.edits.reduce<Buffer>((was, one) => applyEdit(was, one, other), body);
  const original = Buffer.from(sample.text);
  if (signed === 'rightly') return vendor.seal(edited(original), sample);
  const sealed = vendor.seal(original, sample);
  if (spoiled === EDITED) return { ...sealed, body: edited(sealed.body) };
  return vendor.forgeries[spoiled]?.(sealed, sample, at) ?? sealed;
}
