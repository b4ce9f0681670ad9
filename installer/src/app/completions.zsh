# The functions of the last plan.
_backstop_function_names() {
    local -a names
    names=(${(f)"$(backstop completions --functions 2>/dev/null)"})
    compadd -a names
}

