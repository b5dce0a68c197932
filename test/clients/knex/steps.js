// A CRM with Knex.  steps.js NAME runs one of its functions and prints what the
// app sees.  The server is the one of PGHOST and so on, as libpq has it.
'use strict';

const knex = require('knex')({ client: 'pg', connection: {}, pool: { min: 0, max: 2 } });

const steps = {
  async createTables() {
    await knex.schema.createTable('users', (table) => {
      table.integer('id').primary();
      table.string('name');
    });
    await knex.schema.createTable('leads', (table) => {
      table.increments('id');
      table.string('company').unique();
      table.string('email');
      table.string('stage').notNullable().defaultTo('new');
      table.integer('owner_id').references('users.id').onDelete('SET NULL');
    });
    await knex('users').insert(['anna', 'bruno', 'chiara'].map((name, n) => ({ id: n + 1, name })));
    return 'made';
  },

  async returning() {
    const [lead] = await knex('leads').insert({ company: 'one' }).returning('*');
    const many = await knex('leads').insert([{ company: 'two' }, { company: 'three' }]).returning('owner_id');
    return [await name(lead.owner_id), ...(await Promise.all(many.map((row) => name(row.owner_id))))];
  },

  // merge() copies every column of the row that is not stored over the one that
  // is: the owner that it would have had, too.
  async merge() {
    const seen = [];
    for (const stage of ['new', 'talking', 'talking']) {
      const [lead] = await knex('leads').insert({ company: 'merge', stage, owner_id: null })
        .onConflict('company').merge().returning(['stage', 'owner_id']);
      seen.push(`${lead.stage}:${await name(lead.owner_id)}`);
    }
    return seen;
  },

  async mergeGivenOwner() {
    const [lead] = await knex('leads').insert({ company: 'merge', owner_id: 3 })
      .onConflict('company').merge().returning('owner_id');
    return name(lead.owner_id);
  },

  async ignore() {
    const rows = await knex('leads').insert([{ company: 'merge' }, { company: 'fresh' }])
      .onConflict('company').ignore().returning(['company', 'owner_id']);
    return rows.map((row) => row.company);
  },

  // the whole row as it was before the server had filled it
  async writeBack() {
    const lead = { company: 'write back', stage: 'new', owner_id: null };
    const [{ id }] = await knex('leads').insert(lead).returning('id');
    const [before] = await knex('leads').where({ id });
    const [after] = await knex('leads').where({ id }).update({ ...lead, stage: 'talking' }).returning('*');
    return [after.stage, before.owner_id === after.owner_id];
  },

  async byPosition() {
    const leads = Array.from({ length: 100 }, (_, n) => ({
      company: `c${n}`, email: `lead${n % 90}@example.com`, stage: n % 7 === 0 ? 'spam' : 'new',
    }));
    const ids = await knex.batchInsert('leads', leads, 100).returning('id');
    const companies = new Map((await knex('leads').select('id', 'company')).map((row) => [row.id, row.company]));
    return [ids.length, ids.filter(({ id }, n) => companies.get(id) !== leads[n].company).length];
  },

  async rolledBack() {
    await knex.transaction(async (transaction) => {
      await transaction('leads').insert({ company: 'rolled back' });
      await transaction.transaction(async (savepoint) => {
        await savepoint('leads').insert({ company: 'rolled back, too' });
        throw new Error('inner');
      }).catch(() => {});
      throw new Error('outer');
    }).catch(() => {});
    return (await knex('leads').where('company', 'like', 'rolled back%')).length;
  },
};

async function name(id) {
  const user = await knex('users').where({ id }).first();
  return user ? user.name : null;
}

steps[process.argv[2]]()
  .then((seen) => console.log([].concat(seen).join(' ')))
  .catch((error) => { console.error(error); process.exitCode = 1; })
  .finally(() => knex.destroy());
