/** The dot of a projected op as one safe integer: device index * 2^32 + seq. 0 is no op. */
export type DotRef = number

const SEQ_SPAN = 2 ** 32

export const dotRef = (device: number, seq: number): DotRef => device * SEQ_SPAN + seq
export const deviceOfRef = (ref: DotRef): number => Math.floor(ref / SEQ_SPAN)
export const seqOfRef = (ref: DotRef): number => ref % SEQ_SPAN
