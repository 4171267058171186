/** For those who test what they give to Quorate. */

export { replay, simulate } from "./simulate.js";
export type {
  FailureKind,
  Fault,
  MachineSource,
  Random,
  SimulatedCall,
  SimulateOptions,
  Simulation,
  SimulationCounts,
  SimulationFailure,
  SimulationTrace,
  TracedCall,
} from "./simulation/types.js";
