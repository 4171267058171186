/** For those who test what they give to Quorate. Each suite is a list of cases, for any runner of tests. */

export type { Case } from "./case.js";
export { type StoragePlace, storageCases } from "./storage.js";
export { type TransportWorld, transportCases } from "./transport.js";
