/** Resolves when what was rendered is on the screen: before work that keeps the page from painting for a moment. */
export const afterPaint = (): Promise<void> =>
  new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve))
  })
