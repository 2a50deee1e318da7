import { ROOT_CONTEXT, type SpanContext, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type { VaultLeaseError } from '@vault-lease/core'
import { hear, type Told } from './follow.ts'

/** The most users that were replaced and whose end is still to be told. One that nobody revokes is forgotten in the end. */
const mostReplaced = 1_000

/** A span that is over. Times are milliseconds since 1970. */
interface Part {
  readonly name: string
  readonly from: number
  readonly to: number
  readonly parent?: SpanContext | undefined
  readonly attributes: Record<string, string | number>
  readonly error?: VaultLeaseError | undefined
}

/** A span for each attempt to put another credential in force, with its steps as children, until what it returns is called. */
export function traceRotations(tracer: Tracer): () => void {
  /** By user: the rotation that has replaced it. */
  const replacedBy = new Map<string, SpanContext>()

  const rotation = ({
    source,
    reason,
    outcome,
    generation,
    tookMs,
    steps,
    replaced,
  }: Told['rotation']): void => {
    const to = Date.now()
    const from = to - tookMs
    const attributes = {
      'vault_lease.source': source,
      'vault_lease.reason': reason,
      'vault_lease.outcome': outcome,
      'vault_lease.generation': generation,
    }
    const failure = steps.find(({ error }) => error)?.error
    const parent = tell(tracer, { name: 'vault_lease.rotation', from, to, attributes, error: failure })
    let at = from
    for (const { step, tookMs: lasted, error } of steps) {
      const attributes = { 'vault_lease.source': source, 'vault_lease.step': step }
      tell(tracer, { name: `vault_lease.${step}`, from: at, to: at + lasted, parent, attributes, error })
      at += lasted
    }
    for (const { username } of replaced) remember(replacedBy, userOf(source, username), parent)
  }

  const end =
    (step: 'retire' | 'revoke') =>
    ({ source, username, generation, tookMs }: Told['retired'] | Told['revoked']): void => {
      const user = userOf(source, username)
      const to = Date.now()
      const attributes = {
        'vault_lease.source': source,
        'vault_lease.step': step,
        'vault_lease.generation': generation,
      }
      const parent = replacedBy.get(user)
      tell(tracer, { name: `vault_lease.${step}`, from: to - tookMs, to, parent, attributes })
      if (step === 'revoke') replacedBy.delete(user)
    }

  const stops = [hear('rotation', rotation), hear('retired', end('retire')), hear('revoked', end('revoke'))]
  return () => {
    for (const stop of stops) stop()
  }
}

function tell(tracer: Tracer, { name, from, to, parent, attributes, error }: Part): SpanContext {
  // Whoever happens to be at work when a lease is due is not what rotates it.
  const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
  const span = tracer.startSpan(name, { startTime: from, attributes }, context)
  if (error) {
    const { name, code, message } = error
    span.recordException({ name, code, message }, to)
    span.setAttribute('error.type', code)
    span.setStatus({ code: SpanStatusCode.ERROR, message })
  }
  span.end(to)
  return span.spanContext()
}

function remember(replacedBy: Map<string, SpanContext>, user: string, rotation: SpanContext): void {
  replacedBy.set(user, rotation)
  const [oldest] = replacedBy.keys()
  if (replacedBy.size > mostReplaced && oldest !== undefined) replacedBy.delete(oldest)
}

function userOf(source: string, username: string): string {
  return JSON.stringify([source, username])
}
