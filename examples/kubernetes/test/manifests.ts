import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

export const example: string = fileURLToPath(new URL('..', import.meta.url))

/** What the tests look at in an object of Kubernetes. */
export interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
      readonly spec: Pod
    }
    readonly [field: string]: unknown
  }
}

export interface Pod {
  readonly serviceAccountName: string
  readonly terminationGracePeriodSeconds: number
  readonly containers: readonly [Container]
  readonly initContainers?: readonly Container[]
  readonly volumes: readonly {
    readonly name: string
    readonly projected?: {
      readonly sources: readonly { readonly serviceAccountToken: { readonly audience: string } }[]
    }
    readonly secret?: { readonly items: readonly { readonly key: string; readonly path: string }[] }
  }[]
}

export interface Container {
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly [field: string]: unknown
}

/** The Deployments, by the name of their file. */
export const variants = ['library', 'injector', 'proxy', 'secrets-operator', 'csi'] as const
export type Variant = (typeof variants)[number]

export function manifestFiles(): string[] {
  return readdirSync(join(example, 'manifests')).map((name) => join('manifests', name))
}

export function manifestsIn(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(example, file), 'utf8')).map((document) => document.toJS())
}

/** The object of a kind in the file of a variant. */
export function manifestOf(variant: Variant, kind: string): Manifest {
  const found = manifestsIn(`manifests/${variant}.yaml`).find((manifest) => manifest.kind === kind)
  if (!found) throw new Error(`${variant} has no ${kind}`)
  return found
}

export function podOf(variant: Variant): Pod {
  return manifestOf(variant, 'Deployment').spec.template.spec
}

/** The environment of the application in a variant. */
export function environmentOf(variant: Variant): Record<string, string> {
  const [{ env }] = podOf(variant).containers
  return Object.fromEntries(env.map(({ name, value }) => [name, value]))
}
