/** Whether the server does not know the user, or not by this password. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGPASS')
}
