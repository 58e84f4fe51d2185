"""The command line of every method.

command           main(): from the arguments to the exit code
phases            the table of phases: a new phase is a row here
training_phases   what train, plan, check_data and import_weights do
inference_phases  what test, evaluate, translate, export, serve and compare do
parsing           arguments to a Request: presets, former names of flags
refusals          what is wrong with a command line, with the flag or value that may be meant
written           user input: paths with ~ or a trailing slash, and flag files
request           Request: what a command line asks for, as settings
fields            absl flags for the fields of settings, and back
presets/          published versions by name, an absl flagfile each
groups            the groups of flags in --help, and the flags of its first page: a new setting is a name here
listing           flags as --help and docs/flags.md show them
help, version     what --help and --version print
program           the names of a method in commands and folders
messages          the log, shown as plain lines
streams           standard output and error that survive a closed terminal or pipe
quiet, processor  importing TensorFlow: without its messages; with the options measured to be fastest on this processor
"""
