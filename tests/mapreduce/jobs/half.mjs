export const map = () => {};
