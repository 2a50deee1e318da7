/** What a command was told, or its usage and an exit: with status 0 when that was asked for, with 2 when an argument is wrong. */
export function optionsOrExit<Options>(parse: (args: string[]) => Options, usage: string): Options {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage)
    process.exit(0)
  }
  try {
    return parse(args)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}
