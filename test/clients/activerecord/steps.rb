#!/usr/bin/ruby
# A CRM with ActiveRecord.  steps.rb NAME runs one of its functions and prints
# what the app sees.  The server is the one of PGHOST and so on, as libpq has it.
require "active_record"

ActiveRecord::Base.establish_connection(adapter: "postgresql")
ActiveRecord::Base.logger = nil
ActiveRecord::Migration.verbose = false

class User < ActiveRecord::Base
end

class Lead < ActiveRecord::Base
  belongs_to :owner, class_name: "User", optional: true
end

def create_tables
  ActiveRecord::Schema.define do
    create_table(:users) { |t| t.string :name }
    create_table :leads do |t|
      t.string :company, index: { unique: true }
      t.string :email
      t.string :stage, null: false, default: "new"
      t.references :owner, foreign_key: { to_table: :users, on_delete: :nullify }
      t.timestamps
    end
  end
  User.insert_all([{ name: "anna" }, { name: "bruno" }, { name: "chiara" }])
  "made"
end

def name_of(lead)
  Lead.find(lead.id).owner&.name
end

def reload
  lead = Lead.create!(company: "reload")
  before = lead.owner_id
  [before.inspect, lead.reload.owner.name]
end

# Only what has changed is written.
def save_again
  lead = Lead.create!(company: "save again")
  lead.save!
  lead.update!(stage: "talking")
  [lead.owner_id.inspect, name_of(lead)]
end

def update_with_owner
  lead = Lead.create!(company: "update").reload
  before = lead.owner.name
  lead.update!(owner_id: nil)
  [before, name_of(lead)]
end

def update_column
  lead = Lead.create!(company: "update_column").reload
  before = lead.owner.name
  lead.update_column(:owner_id, nil)
  [before, name_of(lead)]
end

def move
  lead = Lead.create!(company: "move").reload
  lead.update!(owner: User.find_by!(name: "anna"))
  name_of(lead)
end

# RETURNING of one statement.
def returning
  rows = Lead.insert_all([{ company: "r1" }, { company: "r2" }].map { |row| row.merge(times) }, returning: %w[company owner_id])
  rows.map { |row| "#{row["company"]}:#{User.find(row["owner_id"]).name}" }
end

# upsert_all() updates every column that it is given.
def upsert
  %w[new talking].map do |stage|
    Lead.upsert_all([{ company: "upsert", stage: stage, owner_id: nil }.merge(times)], unique_by: :company)
    lead = Lead.find_by!(company: "upsert")
    "#{lead.stage}:#{lead.owner.name}"
  end
end

def by_position
  leads = Array.new(100) { |n| { company: "c#{n}", email: "lead#{n % 90}@example.com", stage: (n % 7).zero? ? "spam" : "new" }.merge(times) }
  ids = Lead.insert_all(leads).rows.flatten
  [ids.size, ids.each_with_index.count { |id, n| Lead.find(id).company != leads[n][:company] }]
end

def rolled_back
  Lead.transaction do
    Lead.create!(company: "rolled back")
    Lead.transaction(requires_new: true) do
      Lead.create!(company: "rolled back, too")
      raise ActiveRecord::Rollback
    end
    raise ActiveRecord::Rollback
  end
  Lead.where("company LIKE 'rolled back%'").count
end

# Statements that ActiveRecord has prepared go on when triggers come and go.
def prepared
  seen = []
  ["SELECT leadroute.detach('leads')", "SELECT leadroute.attach('leads', 'owner_id')"].each do |change|
    seen << Lead.create!(company: "prepared #{seen.size}").reload.owner&.name.inspect
    Lead.connection.execute(change)
    seen << Lead.create!(company: "prepared #{seen.size}").reload.owner&.name.inspect
  end
  seen
end

def times
  { created_at: Time.now, updated_at: Time.now }
end

puts Array(send(ARGV.fetch(0))).join(" ")
