import config from '../../tsdown.config.ts'

export default { ...config, entry: ['src/index.ts', 'src/adapter.ts'] }
