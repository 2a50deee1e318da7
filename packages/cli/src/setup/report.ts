import { styleText } from 'node:util'
import { hasColours } from '../terminal.ts'
import { type FieldDifference, type FieldValue, fieldText } from './fields.ts'
import type { Change } from './plan.ts'
import type { WantedKind } from './wanted.ts'

const marks = {
  create: { mark: '+', color: 'green' },
  change: { mark: '~', color: 'yellow' },
  rotate: { mark: '!', color: 'magenta' },
} as const

/** A change as people read it: the object, and below it each field that differs. */
export function changeText({ action, wanted: { kind, path, fields }, differences }: Change): string {
  const { mark, color } = marks[action]
  const plain = `${mark} ${kind} ${path}`
  const head = hasColours(process.stdout) ? styleText(color, plain, { validateStream: false }) : plain
  const note = action === 'change' ? undefined : notes[kind]
  const lines = differences.map((one) => differenceText(one, fields))
  return [note === undefined ? head : `${head} (${note})`, ...lines].join('\n')
}

const notes: Partial<Record<WantedKind, string>> = {
  'root password': 'rotated once: from then on Vault alone knows it',
  'static role': 'the password of its user changes at once',
}

function differenceText(
  { field, is, shouldBe }: FieldDifference,
  fields: Change['wanted']['fields'],
): string {
  const kind = fields[field] ?? { kind: 'text' as const }
  const [from, to] = [is, shouldBe].map((value) => fieldText(kind, shown(field, value)))
  return `    ${field}: ${from || '(nothing)'} → ${to || '(nothing)'}`
}

/** Somebody may have written a password into a URL, where Vault shows it to whoever reads the connection. */
function shown(field: string, value: FieldValue): FieldValue {
  return field === 'connection_url' ? withoutPassword(String(value)) : value
}

export function withoutPassword(url: string): string {
  return url.replace(/^((?:\w+:\/\/)?)(.*)@/, (whole, protocol: string, login: string) =>
    login.includes('{{password}}') ? whole : `${protocol}(hidden)@`,
  )
}

/** The same for programs. */
export function changeAsJson({ action, wanted: { kind, path, at }, differences }: Change): object {
  return {
    action,
    kind,
    path,
    line: at.line,
    differences: differences.map(({ field, is, shouldBe }) => ({
      field,
      is: shown(field, is),
      shouldBe: shown(field, shouldBe),
    })),
  }
}
