/**
 * What one instruction boundary came to. Ordered: everything above FAULTED means that the CPU cannot go on by itself.
 */
export type StepResult = 0 | 1 | 2 | 3 | 4;

/** An instruction completed. */
export const RETIRED = 0;
/** An interrupt, NMI or trap was delivered; no instruction executed. */
export const DELIVERED = 1;
/** An instruction faulted and its fault was delivered. */
export const FAULTED = 2;
/** HLT, and nothing pending that could wake the CPU. */
export const HALTED = 3;
/** Triple fault. */
export const SHUTDOWN = 4;
