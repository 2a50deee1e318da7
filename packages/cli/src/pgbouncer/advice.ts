type Row = Readonly<Record<string, unknown>>

/** What in `SHOW CONFIG` makes a rotation lose queries. */
export function adviceOn(config: readonly Row[]): readonly string[] {
  const setting = (name: string): string => String(config.find(({ key }) => key === name)?.['value'])
  const advice: string[] = []
  if (setting('pool_mode') !== 'transaction')
    advice.push(
      `pool_mode is ${setting('pool_mode')}: without "transaction" a client that stays connected keeps the old user until that ends, and is cut off then.`,
    )
  if (Number(setting('server_login_retry')) > 1)
    advice.push(
      `server_login_retry is ${setting('server_login_retry')}: set it to 1, or one failed login stops everything for that many seconds.`,
    )
  return advice
}
