/** Whether an audit device has hidden a value. */
export function isHash(value: string): boolean {
  return value.startsWith('hmac-sha256:')
}
