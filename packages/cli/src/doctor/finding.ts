/** What came of one look. */
export interface Finding {
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped'
  /** What is there. */
  readonly found: string
  /** What to do about it. */
  readonly hint?: string
  /** Where more is written about it. */
  readonly link?: string
}

type Remedy = Pick<Finding, 'hint' | 'link'>

export function ok(found: string): Finding {
  return { status: 'ok', found }
}

/** It works now, and will not always. */
export function warning(found: string, hint: string, link?: string): Finding {
  return { status: 'warning', found, ...remedy(hint, link) }
}

export function failed(found: string, hint: string, link?: string): Finding {
  return { status: 'failed', found, ...remedy(hint, link) }
}

/** It could not be looked at, which is no trouble by itself. */
export function skipped(why: string): Finding {
  return { status: 'skipped', found: why }
}

function remedy(hint: string, link: string | undefined): Remedy {
  return link === undefined ? { hint } : { hint, link }
}
