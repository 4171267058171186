/** For those who test what they give to Quorate. */

export type { Case } from "./case.js";
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
export { type StoragePlace, storageCases } from "./storage.js";
export { type TransportWorld, transportCases } from "./transport.js";
