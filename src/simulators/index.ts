import { startBerbix } from './berbix.ts';
import { startPassbase } from './passbase.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';
import { startVeriff } from './veriff.ts';

/** Every provider that can be played, by the name it has in the providers' own registry. */
export const simulators: { [name: string]: (options?: SimulatorOptions) => Promise<Simulator> } = {
  veriff: startVeriff,
  berbix: startBerbix,
  passbase: startPassbase,
};
