/** So that a server with much to tell is not asked everything at once. */
const atOnce = 8

/** Runs `ask` for each item, some at a time. The answers are in the order of the items. After a failure nothing more is asked. */
export async function sideBySide<Item, Answer>(
  items: readonly Item[],
  ask: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = []
  const rest = eachOnce(items)
  const work = async (): Promise<void> => {
    for (const [index, item] of rest) answers[index] = await ask(item)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
  return answers
}

/** A generator, unlike an iterator of an array, has ended for all when one of those who go through it throws. */
function* eachOnce<Item>(items: readonly Item[]): Generator<[number, Item]> {
  yield* items.entries()
}
