/** What makes, extends and ends the users of a role. */
export interface Statements {
  readonly creation_statements: readonly string[]
  readonly renew_statements: readonly string[]
  readonly revocation_statements: readonly string[]
}

/** What a role says beside the name of its template. Each is a plain name: `[\w-]+`. */
export interface Parameters {
  readonly group: string
  readonly schema: string
  readonly database: string
  readonly tables: readonly string[]
}

/** Statements for what an application commonly needs. */
export interface Template {
  /** The parameters that it cannot do without. */
  readonly needs: readonly (keyof Parameters)[]
  /** Those that it takes beside. */
  readonly takes: readonly (keyof Parameters)[]
  statements(parameters: Parameters): Statements
}

export const templateNames = ['readonly', 'readwrite', 'mysql-readonly', 'reporting', 'user-service'] as const

export type TemplateName = (typeof templateNames)[number]

export type Templates = Partial<Record<TemplateName, Template>>
