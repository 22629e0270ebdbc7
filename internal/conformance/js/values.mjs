// What must come back as it was sent.
export const texts = [
  "", " ", "plain", "Grüße, żółć, Ωmega", "日本語テスト", "שלום עולם", "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301",
  "nul \0 rs \x1e us \x1f", "\u2028\u2029\ufeff", '"quoted" \\ / <script>&amp;', "line\r\nline\ttab", "𝒳\u{10ffff}", "-[0,{}]", "451-[1]",
];
export const values = [
  null, true, false, 0, -1, 0.1, 1e21, -2.5e-7, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER,
  [], {}, [[], [[]]], { "": { a: [{ b: null }] } }, { "ключ 🗝": 1, _placeholder: false, num: 3 },
];
