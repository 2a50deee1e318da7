import config from '../../tsdown.config.ts'

export default { ...config, entry: ['src/prometheus.ts', 'src/opentelemetry.ts'] }
