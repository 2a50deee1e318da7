import { vi } from 'vitest'

type WaitOptions = Parameters<typeof vi.waitFor>[1]

/** Vitest itself has a second for what is waited for: on a machine with other work that is short. */
const timeout = 15_000
const { waitFor, waitUntil } = vi

Object.assign(vi, {
  waitFor: (callback: Parameters<typeof waitFor>[0], options?: WaitOptions) =>
    waitFor(callback, patient(options)),
  waitUntil: (callback: Parameters<typeof waitUntil>[0], options?: WaitOptions) =>
    waitUntil(callback, patient(options)),
})

function patient(options: WaitOptions): WaitOptions {
  return typeof options === 'number' ? options : { timeout, ...options }
}
