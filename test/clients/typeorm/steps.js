// A CRM with TypeORM.  steps.js NAME runs one of its functions and prints what
// the app sees.  The server is the one of PGHOST and so on, as libpq has it.
'use strict';

const { DataSource, EntitySchema } = require('typeorm');

const User = new EntitySchema({
  name: 'User',
  tableName: 'users',
  columns: { id: { type: 'int', primary: true }, name: { type: 'text' } },
});

const columns = {
  id: { type: 'int', primary: true, generated: true },
  company: { type: 'text', unique: true },
  email: { type: 'text', nullable: true },
  stage: { type: 'text', default: 'new' },
  ownerId: { name: 'owner_id', type: 'int', nullable: true },
};
const Lead = new EntitySchema({ name: 'Lead', tableName: 'leads', columns });

// The same table in the mapping that the README shows; an app has one of them.
const LeadShown = new EntitySchema({
  name: 'LeadShown',
  tableName: 'leads',
  synchronize: false,
  columns: { ...columns, ownerId: { ...columns.ownerId, default: () => 'NULL' } },
});

const app = new DataSource({
  type: 'postgres',
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  username: process.env.PGUSER,
  database: process.env.PGDATABASE,
  entities: [User, Lead, LeadShown],
});
const leads = app.getRepository(Lead);
const leadsShown = app.getRepository(LeadShown);

const name = async (id) => (await app.getRepository(User).findOneBy({ id: id ?? 0 }))?.name ?? null;
const stored = async (id) => name((await leads.findOneBy({ id })).ownerId);

const steps = {
  async createTables() {
    await app.synchronize();
    await app.getRepository(User).save(['anna', 'bruno', 'chiara'].map((each, n) => ({ id: n + 1, name: each })));
    return 'made';
  },

  // save(), then save() of the same object
  async saveAgain() {
    const lead = await leads.save(leads.create({ company: 'save again' }));
    const before = lead.ownerId;
    lead.stage = 'talking';
    await leads.save(lead);
    return [String(before), await stored(lead.id)];
  },

  async saveUnchanged() {
    const lead = await leads.save(leads.create({ company: 'save unchanged' }));
    const before = await stored(lead.id);
    await leads.save(lead);
    return [before, await stored(lead.id)];
  },

  async readAgain() {
    const { id } = await leads.save({ company: 'read again' });
    const lead = await leads.findOneBy({ id });
    const before = await name(lead.ownerId);
    lead.stage = 'talking';
    await leads.save(lead);
    return [before, await stored(id)];
  },

  // a column with a default is read back by the INSERT
  async returned() {
    const lead = await leadsShown.save({ company: 'returned' });
    const many = await leadsShown.save([{ company: 'returned 1' }, { company: 'returned 2' }]);
    const seen = await Promise.all([lead, ...many].map((each) => name(each.ownerId)));
    await leadsShown.save(lead);
    return [...seen, await stored(lead.id)];
  },

  async release() {
    const { id } = await leads.save({ company: 'release' });
    const before = await stored(id);
    await leads.update(id, { ownerId: null });
    return [before, await stored(id)];
  },

  async upsert() {
    const seen = [];
    for (const stage of ['new', 'talking']) {
      await leads.upsert({ company: 'upsert', stage, ownerId: null }, ['company']);
      const lead = await leads.findOneBy({ company: 'upsert' });
      seen.push(lead.stage, await name(lead.ownerId));
    }
    return seen;
  },

  async byPosition() {
    const objects = Array.from({ length: 100 }, (_, n) => leads.create({
      company: `c${n}`, email: `lead${n % 90}@example.com`, stage: n % 7 === 0 ? 'spam' : 'new',
    }));
    await leads.save(objects);
    const companies = new Map((await leads.find()).map((lead) => [lead.id, lead.company]));
    return [new Set(objects.map(({ id }) => id)).size, objects.filter(({ id, company }) => companies.get(id) !== company).length];
  },

  async rolledBack() {
    await app.transaction(async (manager) => {
      await manager.save(Lead, { company: 'rolled back' });
      await manager.transaction(async (savepoint) => {
        await savepoint.save(Lead, { company: 'rolled back, too' });
        throw new Error('inner');
      }).catch(() => {});
      throw new Error('outer');
    }).catch(() => {});
    return leads.count({ where: [{ company: 'rolled back' }, { company: 'rolled back, too' }] });
  },
};

app.initialize()
  .then(() => steps[process.argv[2]]())
  .then((seen) => console.log([].concat(seen).join(' ')))
  .catch((error) => { console.error(error); process.exitCode = 1; })
  .finally(() => app.destroy());
