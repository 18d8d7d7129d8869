/**
 * The words of `cpu.x`: state that only a machine with `Platform.extendedState` has. They are apart from the registers
 * so that marks and fingerprints of the others do not pay for them.
 */

/** The FXSAVE image: 512 bytes (SDM vol. 1, 10.5.1), of which software owns the last 48. */
export const X_FPU = 0;
/** IA32_TSC_AUX, a pair. */
export const X_TSC_AUX = 128;
/** IA32_SPEC_CTRL, a pair. */
export const X_SPEC_CTRL = 130;
/** IA32_TSC_DEADLINE, a pair: 0 when disarmed. */
export const X_TSC_DEADLINE = 132;
/** Local APIC: logical destination, its format, error status. */
export const X_APIC_LDR = 134,
  X_APIC_DFR = 135,
  X_APIC_ESR = 136;
/** Local APIC: initial count and divisor of the timer. */
export const X_APIC_TMICT = 137,
  X_APIC_TDCR = 138;
/** Local APIC: the local vectors, in the order of `apic-registers.ts`. */
export const X_APIC_LVT = 140;
/** 1 after INIT, until a start-up IPI comes. */
export const X_WAITS_FOR_SIPI = 147;
/** IA32_MCG_STATUS and IA32_MCG_EXT_CTL, each a pair. */
export const X_MCG_STATUS = 148,
  X_MCG_EXT_CTL = 150;
/** All words of a CPU. */
export const EXTENDED_WORDS = 256;
