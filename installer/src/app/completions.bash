
# The functions of the last plan, where a command takes one.
_backstop_with_functions() {
    _backstop "$@"
    local current=${COMP_WORDS[COMP_CWORD]} word
    [[ $current == -* || ${COMP_WORDS[COMP_CWORD-1]} == -* ]] && return
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
            plan | attach | detach | status | doctor | drill)
                COMPREPLY=($(compgen -W "$(backstop completions --functions 2>/dev/null)" -- "$current"))
                return
                ;;
        esac
    done
}
complete -F _backstop_with_functions -o bashdefault -o default backstop
