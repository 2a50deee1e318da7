import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { anchorsOf, linksIn } from './markdown.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const pages = ['.', ...foldersIn('packages'), ...foldersIn('examples')].flatMap(pagesIn)

describe('pages', () => {
  it('link to what is there', () => {
    expect(pages).toContain('packages/core/TROUBLESHOOTING.md')
    expect(pages.flatMap(deadLinksOf)).toEqual([])
  })
})

describe('what is read of a page', () => {
  it.each([
    ['a heading', '## From an empty machine', ['from-an-empty-machine']],
    ['signs and code in it', '### `closeOnSignal(...closables)`, a-b_c', ['closeonsignalclosables-a-b_c']],
    ['a link in it', '# See [the _other_ page](other.md)', ['see-the-other-page']],
    ['the same twice', '# One\n# One', ['one', 'one-1']],
    ['no comment in a shell', '\n```sh\n# One\n```', []],
    ['an anchor of its own', '<a id="here"></a>', ['here']],
  ])('has an anchor for %s', (_, text, anchors) => {
    expect([...anchorsOf(text)]).toEqual(anchors)
  })

  it('has its links, and none from code', () => {
    const text = 'A [b](c.md#d), [`e`](#f)\n`[g](h)`\n```md\n[i](j)\n```\n[k]: l.md'
    expect(linksIn(text)).toEqual(['c.md#d', '#f', 'l.md'])
  })
})

function foldersIn(folder: string): string[] {
  return readdirSync(join(root, folder)).map((name) => join(folder, name))
}

function pagesIn(folder: string): string[] {
  const names = statSync(join(root, folder)).isDirectory() ? readdirSync(join(root, folder)) : []
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name))
}

/** As `page → link`: those whose file, folder or heading is not in this repository. */
function deadLinksOf(page: string): string[] {
  const links = linksIn(readFileSync(join(root, page), 'utf8')).filter((link) => !/^[a-z]+:/.test(link))
  return links.filter((link) => !leadsSomewhere(page, link)).map((link) => `${page} → ${link}`)
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const meant = path === '' ? join(root, page) : join(root, dirname(page), path)
  if (!existsSync(meant) || relative(root, meant).startsWith('..')) return false
  if (anchor === undefined) return true
  const text = statSync(meant).isDirectory() ? join(meant, 'README.md') : meant
  return existsSync(text) && anchorsOf(readFileSync(text, 'utf8')).has(anchor)
}
