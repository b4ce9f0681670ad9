# A backend by its name: the address, the format and the headers that it stands for, and what is wrong with it.
#
# backends.json is generated from the extension's own table; the installer and the CDK library use the same facts.
# A message shows no value of an option, which may be a token in the wrong place.

locals {
  facts    = jsondecode(file("${path.module}/backends.json"))
  backends = local.facts.backends

  backend_name = try(var.primary.backend, null)
  backend      = local.backend_name == null ? null : try(local.backends[local.backend_name], null)
  # In a map a null is what is not set, as for every argument.
  backend_given = try(coalesce(var.primary.backend_options, {}), {})
  backend_texts = {
    for name, option in try(local.backend.options, {}) : name =>
    try(local.backend_given[name], null) == null ? option.default : local.backend_given[name]
  }
  # What stands for an option in the address: itself, or for one of a few words the host. An option that is always there
  # counts as given while its value is known after apply only: else the plan could show nothing of the environment.
  backend_parts = {
    for name, text in local.backend_texts : name => text == null ? "" : try(local.backend.options[name].words[text], text)
    if try(local.backend.options[name].default != null || local.backend.options[name].required, false) ? true : text != null
  }
  # `{option}` replaced: between braces there are names only. A template is left out where one of them is not given.
  backend_templates = merge(
    { url = try(local.backend.url, ""), prefix = try(local.backend.token_prefix, "") },
    { for name, template in try(local.backend.headers, {}) : "header ${name}" => template },
  )
  backend_filled = {
    for key, template in local.backend_templates : key => join("", [
      for position, part in split("{", replace(template, "}", "{")) : position % 2 == 0 ? part : local.backend_parts[part]
    ]) if alltrue([for name in flatten(regexall("{([a-z_]+)}", template)) : contains(keys(local.backend_parts), name)])
  }
  backend_url     = contains(keys(local.backend_filled), "url") ? local.backend_filled["url"] : null
  backend_headers = { for key, value in local.backend_filled : trimprefix(key, "header ") => value if startswith(key, "header ") }

  # Where the token goes: null for the header of the format, which the extension knows.
  token_header = try(local.backend.token_header, null)
  token_prefix = try(local.backend_filled["prefix"], "")
  all_headers = merge(
    local.backend_headers,
    { for name in local.has_token && local.token_header != null ? [local.token_header] : [] : name => local.token_text },
    local.headers,
  )

  format         = try(coalesce(try(local.backend.format, null), try(var.primary.format, null)), "ndjson")
  format_facts   = try(local.facts.formats[local.format], { token_header = "authorization", options = {} })
  format_options = { for name, value in try(coalesce(var.primary.options, {}), {}) : name => value if value != null }
  # Every header that says what the token says, in lower case.
  own_token_header = coalesce(local.token_header, local.format_facts.token_header)
}

locals {
  # Pairs of letters of each name that may be meant: as the extension's own table counts them.
  pairs = {
    for name in distinct(concat(
      keys(local.backends), local.backend_name == null ? [] : [local.backend_name],
      keys(try(local.backend.options, {})), keys(local.backend_given),
    )) : name => distinct([for at in range(max(length(name) - 1, 0)) : lower(substr(name, at, 2))])
  }
  # For each unknown name the known ones that share two of five pairs, as [share, name], the nearest first.
  unknown_names = merge(
    { for name in local.backend_name == null || local.backend != null ? [] : [local.backend_name] : name => keys(local.backends) },
    { for name in keys(local.backend_given) : name => keys(local.backend.options) if local.backend != null && !contains(keys(try(local.backend.options, {})), name) },
  )
  shares = {
    for unknown, known in local.unknown_names : unknown => {
      for name in known : name => length(setintersection(local.pairs[unknown], local.pairs[name])) / (length(local.pairs[unknown]) + length(local.pairs[name]))
      if length(unknown) <= 24 && length(setintersection(local.pairs[unknown], local.pairs[name])) * 5 >= max(1, length(local.pairs[unknown]) + length(local.pairs[name]))
    }
  }
  nearest = { for unknown, shares in local.shares : unknown => [for name, share in shares : name if share == max(values(shares)...)][0] if length(shares) > 0 }

  backend_problems = concat(
    [for name in local.backend_name == null || local.backend != null ? [] : [local.backend_name] :
      contains(keys(local.nearest), name) ? "there is no backend \"${name}\": did you mean ${local.nearest[name]}?" : "there is no backend of this name: use ${join(", ", keys(local.backends))}"
    ],
    [for name in local.backend == null ? [] : keys(local.unknown_names) :
      contains(keys(local.nearest), name) ? "the backend ${local.backend_name} has no option \"${name}\": did you mean ${local.nearest[name]}?" : "the backend ${local.backend_name} has only the options ${join(", ", keys(local.backend.options))}: remove the others"
    ],
    [for name, option in try(local.backend.options, {}) : "the backend ${local.backend_name} needs the option ${name}: ${option.meaning}"
      if option.required && local.backend_texts[name] == null
    ],
    [for name, text in local.backend_texts : "the option ${name} of the backend ${local.backend_name} is not valid: ${local.backend.options[name].advice}"
      if text == null ? false : length(local.backend.options[name].words) > 0 ? !contains(keys(local.backend.options[name].words), text) : !can(regex(local.backend.options[name].pattern, text))
    ],
    [for name in nonsensitive(keys(local.headers)) : "the backend ${local.backend_name} sets the header ${lower(name)}: remove it from primary_headers"
      if contains([for own in keys(local.backend_headers) : lower(own)], lower(name))
    ],
    [for text in ["backend_options are set, but no backend: name it in primary.backend"] : text if local.backend_name == null && length(local.backend_given) > 0],
    [for text in ["the backend needs a token: give it in primary_token, primary_token_secret_arn or primary_token_ssm_parameter"] : text
      if try(local.backend.needs_token, false) && !local.has_token && nonsensitive(length(local.headers)) == 0 && length([for name in local.own_names : name if startswith(name, "BACKSTOP_PRIMARY_TOKEN")]) == 0 && !contains(local.own_names, "BACKSTOP_PRIMARY_HEADERS")
    ],
    [for text in ["the token goes into a header of the backend, and contains a comma: give the bare token"] : text
      if local.has_token && local.token_header != null && nonsensitive(can(regex(",", local.token_text)))
    ],
  )
  option_problems = concat(
    [for name in keys(local.format_options) :
      length(local.format_facts.options) == 0 ? "the format ${local.format} has no options: remove them" : "the format ${local.format} has only the options ${join(", ", keys(local.format_facts.options))}: remove the others"
      if !contains(keys(local.format_facts.options), name)
    ],
    [for name, value in local.format_options : "the option ${name} of the format ${local.format} is not valid: docs/configuration.md lists what it accepts"
      if can(local.format_facts.options[name]) && !can(regex(local.format_facts.options[name], value))
    ],
  )
}
