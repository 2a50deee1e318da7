import { optionsOrExit } from '../options-or-exit.ts'
import { compareCheckouts } from './checkout/compare-checkouts.ts'
import { compareOnServers } from './compare-on-servers.ts'
import { parseOptions, usage } from './options.ts'
import { compareStarts } from './start/compare-starts.ts'

const options = optionsOrExit(parseOptions, usage)
if (options.checkout) await compareCheckouts(options)
else if (options.start) await compareStarts(options)
else await compareOnServers(options)
