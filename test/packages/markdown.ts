/** Where the links of a page lead, in order; what stands in code is none. */
export function linksIn(text: string): string[] {
  const prose = withoutFences(text).replaceAll(/`[^`\n]+`/g, 'code')
  const links = prose.matchAll(/\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)/gm)
  return Array.from(links, ([, inline, reference = '']) => inline ?? reference)
}

/** What may follow the `#` in a link to a page: the names that GitHub gives to its headings. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  const page = withoutFences(text)
  for (const [, heading = ''] of page.matchAll(/^#{1,6} +(.+)$/gm)) {
    const name = nameOf(heading)
    let anchor = name
    for (let nth = 1; anchors.has(anchor); nth += 1) anchor = `${name}-${nth}`
    anchors.add(anchor)
  }
  for (const [, id = ''] of page.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id)
  return anchors
}

function nameOf(heading: string): string {
  const shown = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/(?<!\w)_|_(?!\w)/g, '')
  return shown
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}

function withoutFences(text: string): string {
  return text.replaceAll(/^( *)(`{3,}|~{3,}).*\n[\s\S]*?^\1\2 *$/gm, '')
}
