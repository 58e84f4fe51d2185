"""The command line of every method.

command           main(): what happens from the arguments to the exit code
phases            the table of phases: a new phase is a row here
training_phases   what train, plan, check_data and import_weights do
inference_phases  what test, evaluate, translate, export, serve and compare do
parsing           arguments to a Request: presets, former names of flags, refusals
written           what people write: paths with ~ or a slash at the end, and flag files
request           Request: what a command line asks for, as settings
fields            absl flags for the fields of settings, and back
presets/          published versions by name, an absl flagfile each
help, version     what --help and --version print
program           the names of a method in commands and folders
messages          the log, shown as plain lines
streams           standard output and error that may be closed
quiet, processor  importing TensorFlow: without its messages; with what is measured to be the fastest here
"""
