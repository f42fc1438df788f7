/**
 * The page requires Trusted Types. Mantine writes its CSS variables into <style> elements as HTML strings, which the
 * browser asks the default policy about: text without a `<` makes no element, so that alone is let through.
 */
interface TrustedTypesWindow {
  trustedTypes?: { createPolicy(name: string, rules: { createHTML(text: string): string | null }): unknown };
}

(globalThis as TrustedTypesWindow).trustedTypes?.createPolicy('default', {
  createHTML: (text) => (text.includes('<') ? null : text),
});

export {};
