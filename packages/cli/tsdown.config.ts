import config from '../../tsdown.config.ts'

export default { ...config, entry: 'src/main.ts', format: 'esm', dts: false }
