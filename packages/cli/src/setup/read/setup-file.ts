import { LineCounter, parseDocument } from 'yaml'
import { policyReading } from '../policy.ts'
import type { Position, Problem } from '../position.ts'
import type { Item, SetupFile } from '../setup-file.ts'
import { unknownText, YamlValue } from '../yaml-value.ts'
import { authMountOf } from './auth.ts'
import { engineOf } from './engine.ts'
import { named } from './parts.ts'

/** A mount may stand at a path of several parts. */
const mountForm = /^[\w.-]+(?:\/[\w.-]+)*$/
const sectionNames = ['engines', 'policies', 'auth', 'audit'] as const

/** What a file says, and everything that is wrong with it: what it says is of use only when nothing is. */
export function readSetupFile(text: string): {
  readonly file: SetupFile
  readonly problems: readonly Problem[]
} {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const problems: Problem[] = document.errors.map(({ pos: [offset], message }) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col, message: firstLine(message) }
  })
  // What stands in a file that is no YAML is anybody's guess.
  if (problems.length > 0) return { file: { engines: [], policies: [], auth: [], audit: [] }, problems }
  const file = fileOf(new YamlValue({ document, lines, problems }, document.contents))
  problems.sort((one, other) => one.line - other.line || one.column - other.column)
  return { file, problems }
}

function fileOf(root: YamlValue): SetupFile {
  const sections = root.record(sectionNames)
  const engines = named(sections.engines, 'a mount', engineOf, mountForm)
  const credentials = engines.flatMap(({ name, roles, staticRoles }) => [
    ...roles.map((role) => `${name}/creds/${role.name}`),
    ...staticRoles.map((role) => `${name}/static-creds/${role.name}`),
  ])
  return {
    engines,
    policies: named(sections.policies, 'a policy', (name, at, value) =>
      policyOf(name, at, value, credentials),
    ),
    auth: named(sections.auth, 'a mount', authMountOf, mountForm),
    audit: named(sections.audit, 'an audit device', auditDeviceOf, mountForm),
  }
}

function policyOf(name: string, at: Position, value: YamlValue, credentials: readonly string[]): Item {
  const { read, rules } = value.record(['read', 'rules'])
  if (read && rules) rules.problem('Give either what may be read, or rules of your own.')
  if (!read && !rules) value.problem('"read" or "rules" is missing here.')
  for (const path of read?.list() ?? []) {
    const text = path.text()
    if (text !== '' && !credentials.includes(text)) path.problem(unknownText(text, credentials))
  }
  return { name, at, values: { policy: rules?.text() ?? policyReading(read?.texts() ?? []) } }
}

function auditDeviceOf(name: string, at: Position, value: YamlValue): Item {
  const { type, options } = value.record(['type', 'options'], ['type'])
  const texts = Object.entries(options?.map() ?? {}).map(([option, value]) => [option, String(value)])
  return { name, at, values: { type: type?.text() ?? '', options: Object.fromEntries(texts) } }
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}
