// Style sheets that scripts bring along: the bundler makes files of them.
declare module "*.css";
