/**
 * Whose manual decides where the two differ (Intel SDM; AMD64 APM). Only what entry code can meet:
 *
 *   SYSRETQ with a non-canonical RCX   Intel: #GP at CPL 0, with the rsp that is loaded (SDM vol. 2, SYSRET)
 *                                      AMD: #GP at CPL 3, when the instruction there is fetched (APM vol. 3, SYSRET)
 *   null selector into FS or GS        Intel: the base becomes 0 (SDM vol. 3, 3.4.4)
 *                                      AMD: the base stays (APM vol. 2, 4.5.3; Linux, X86_BUG_NULL_SEG), as before
 *                                      CPUID 8000_0021h EAX[6], NullSelectorClearsBase
 *   66h before a near branch           Intel: ignored in 64-bit mode (SDM vol. 2, CALL, JMP, RET, Jcc)
 *                                      AMD: a 16-bit operand (APM vol. 3, 1.2.3); refused here, as all 16-bit code is
 *   UD0                                Intel: with ModR/M; AMD: without, so it is shorter
 */
export type Vendor = 'intel' | 'amd';
