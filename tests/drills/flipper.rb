# What Flipper itself makes of the stories on standard input: a JSON list of {flag, calls, actors}, answered one by one.
require "json"
require "flipper"
require "flipper/adapters/memory"

Actor = Struct.new(:flipper_id)
Flipper.register(:acme_team_members) { false }

def things(kind, given)
  case kind
  when "boolean" then true
  when "actor" then Actor.new(given)
  when "group" then Flipper.group(given.to_sym)
  when "percentage_of_actors" then Flipper.actors(given)
  when "percentage_of_time" then Flipper.time(given)
  end
end

answers = JSON.parse($stdin.read).map do |story|
  feature = Flipper.new(Flipper::Adapters::Memory.new)[story["flag"]]
  story["calls"].each do |kind, given, present|
    present ? feature.enable(things(kind, given)) : feature.disable(things(kind, given))
  end
  values = feature.gate_values
  {
    state: feature.state,
    boolean: values.boolean,
    actors: values.actors.to_a.sort,
    groups: values.groups.to_a.sort,
    percentage_of_actors: values.percentage_of_actors,
    percentage_of_time: values.percentage_of_time,
    inside: story["actors"].map { |actor| feature.enabled?(Actor.new(actor)) },
  }
end
puts JSON.generate(answers)
