import net from 'node:net'

/** From now on every connection that is opened answers "OK" at once to every command of Redis, within this process. */
export function answerOnRedis(): void {
  net.createConnection = (): net.Socket => new AnsweringSocket()
}

class AnsweringSocket extends net.Socket {
  constructor() {
    super()
    process.nextTick(() => this.emit('connect'))
  }

  override _read(): void {}

  override _write(bytes: string | Buffer, _encoding: string, done: () => void): void {
    this.#answer(String(bytes))
    done()
  }

  override _writev(writes: { readonly chunk: string | Buffer }[], done: () => void): void {
    this.#answer(writes.map(({ chunk }) => String(chunk)).join(''))
    done()
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  /** Each command begins with an asterisk; none that is measured has another one. The client first notes what it has sent. */
  #answer(commands: string): void {
    const answers = '+OK\r\n'.repeat(commands.split('*').length - 1)
    process.nextTick(() => this.push(answers))
  }
}
