import { optionsOrExit } from '../options-or-exit.ts'
import { compareCheckouts } from './checkout/compare-checkouts.ts'
import { compareOnServers } from './compare-on-servers.ts'
import { parseOptions, usage } from './options.ts'

const options = optionsOrExit(parseOptions, usage)
if (options.checkout) await compareCheckouts(options)
else await compareOnServers(options)
