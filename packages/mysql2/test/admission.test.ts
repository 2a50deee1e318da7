import { describe, expect, it } from 'vitest'
import { type Admission, admissionFor, HeldPlaces } from '../src/admission.ts'

const admission = (waitForConnections: boolean, queueLimit: number): Admission => ({
  waitForConnections,
  queueLimit,
})

describe('admission', () => {
  it.each<[string, Admission, number, Admission]>([
    ['no place is held: as the caller says', admission(false, 3), 0, admission(false, 3)],
    ['nobody may wait: one for each place', admission(false, 0), 2, admission(true, 2)],
    ['nobody may wait, whatever the limit', admission(false, 3), 2, admission(true, 2)],
    ['some may wait: one more for each place', admission(true, 3), 2, admission(true, 5)],
    ['all may wait: all', admission(true, 0), 2, admission(true, 0)],
  ])('%s', (_name, own, held, expected) => {
    expect(admissionFor(own, held)).toEqual(expected)
  })

  it('is the caller’s own again when every place is free', () => {
    const limits = admission(false, 0)
    const places = new HeldPlaces(limits)
    const letGo = [places.hold(), places.hold()]
    expect(limits).toEqual(admission(true, 2))
    for (const each of letGo) each()
    expect(limits).toEqual(admission(false, 0))
  })
})
