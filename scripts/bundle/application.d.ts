declare module "loom:application" {
  const text: string;
  export default text;
}
