
# The functions of the last plan, where a command takes one.
complete -c backstop -n "__fish_seen_subcommand_from plan attach detach status doctor drill" -f -a "(backstop completions --functions 2>/dev/null)"
