import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findPrometheus } from './binaries.ts'
import { onFreePort, ServerProcess, temporaryFolder } from './server-process.ts'

/** One series at one moment, or over a time: pairs of seconds since 1970 and a number as text. */
export interface PrometheusSample {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

/** A Prometheus of ours. */
export interface Prometheus extends AsyncDisposable {
  /** Its URL, without a path. */
  readonly address: string
  /**
   * What a query gives now, or over the last seconds.
   *
   * @throws Error with what Prometheus says of a query that it does not take.
   */
  query(
    promql: string,
    range?: { readonly seconds: number; readonly step: number },
  ): Promise<PrometheusSample[]>
  /** The alerts that are pending or firing. */
  alerts(): Promise<readonly PrometheusAlert[]>
  /** Ends it and removes its data. Stopping twice is stopping once. */
  stop(): Promise<void>
}

interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

/**
 * Starts Prometheus with a configuration that is there: the one on the PATH, else Debian's, downloaded once.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startPrometheus(configFile: string): Promise<Prometheus> {
  const { server: command } = await findPrometheus()
  const folder = temporaryFolder()
  const launch = async (port: number): Promise<{ server: ServerProcess; address: string }> => {
    const address = `http://127.0.0.1:${port}`
    const server = await ServerProcess.start({
      name: 'prometheus',
      command,
      args: [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${join(folder.path, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        // Debian's has them elsewhere, and its pages are not needed to ask.
        '--web.console.templates=.',
      ],
      folder: folder.path,
      ready: async () => {
        if (!(await fetch(`${address}/-/ready`)).ok) throw new Error('it is not ready')
      },
    })
    return { server, address }
  }
  const { server, address } = await onFreePort(launch)
  const ask = async <Data>(path: string, parameters: Record<string, string> = {}): Promise<Data> => {
    const reply = await fetch(`${address}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const body = (await reply.json()) as { data: Data; error?: string }
    if (!reply.ok) throw new Error(`${parameters['query'] ?? path}: ${body.error}`)
    return body.data
  }
  const stop = async (): Promise<void> => {
    await server.stop('SIGKILL')
    folder.remove()
  }
  return {
    address,
    async query(query, range) {
      if (!range) return (await ask<{ result: PrometheusSample[] }>('query', { query })).result
      const end = Date.now() / 1_000
      const times = { start: `${end - range.seconds}`, end: `${end}`, step: `${range.step}` }
      return (await ask<{ result: PrometheusSample[] }>('query_range', { query, ...times })).result
    },
    alerts: async () => (await ask<{ alerts: PrometheusAlert[] }>('alerts')).alerts,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/**
 * Runs promtool, as `promtool(['check', 'rules', file])`. Resolves with what it prints.
 *
 * @param input what it reads, where it does.
 * @throws Error with what it says when it does not pass.
 */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const { promtool: command } = await findPrometheus()
  const running = promisify(execFile)(command, args)
  running.child.stdin?.end(input)
  const { stdout } = await running.catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`promtool ${args.join(' ')}:\n${error.stdout}${error.stderr}`, { cause: error })
  })
  return stdout
}
