/** What the visitor looks at closely. */
export type Selection =
  | { readonly kind: "node"; readonly id: number }
  | { readonly kind: "flight"; readonly id: number }
  | { readonly kind: "entry"; readonly node: number; readonly index: number }
  | { readonly kind: "event"; readonly event: number }
  | { readonly kind: "operation"; readonly id: number };
