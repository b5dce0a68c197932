#!/usr/bin/python3
"""A CRM with SQLAlchemy.  steps.py NAME runs one of its functions and prints
what the app sees.  The server is the one of PGHOST and so on, as libpq has it."""
import sys

from sqlalchemy import Column, FetchedValue, ForeignKey, Integer, String, create_engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import declarative_base, relationship, sessionmaker

engine = create_engine("postgresql+psycopg2://", future=True)
Session = sessionmaker(engine, future=True)
Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Lead(Base):
    __tablename__ = "leads"
    id = Column(Integer, primary_key=True)
    company = Column(String, unique=True)
    email = Column(String)
    stage = Column(String, nullable=False, default="new")
    owner_id = Column(ForeignKey("users.id"))
    owner = relationship(User)


# The same table in the mapping that the README shows; an app has one of them.
Shown = declarative_base()


class LeadShown(Shown):
    __tablename__ = "leads"
    __mapper_args__ = {"eager_defaults": True}
    id = Column(Integer, primary_key=True)
    company = Column(String)
    stage = Column(String, nullable=False, default="new")
    owner_id = Column(Integer, server_default=FetchedValue())


def name(session, owner_id):
    return owner_id and session.get(User, owner_id).name


def create_tables():
    Base.metadata.create_all(engine)
    with Session.begin() as session:
        session.add_all(User(id=n + 1, name=name) for n, name in enumerate(("anna", "bruno", "chiara")))


def flush_and_refresh():
    with Session.begin() as session:
        lead = Lead(company="refresh")
        session.add(lead)
        session.flush()
        before = lead.owner_id
        session.refresh(lead)
        return before, lead.owner.name


def commit_reads_again():
    with Session() as session:
        lead = Lead(company="commit")
        session.add(lead)
        session.commit()
        return lead.owner.name


def eager_defaults():
    """One lead and several, without a SELECT."""
    with Session.begin() as session:
        lead = LeadShown(company="eager")
        session.add(lead)
        session.flush()
        seen = [lead.__dict__["owner_id"]]
        many = [LeadShown(company=f"eager {n}") for n in range(2)]
        session.add_all(many)
        session.flush()
        seen += [each.__dict__["owner_id"] for each in many]
        return tuple(name(session, owner) for owner in seen)


def eager_defaults_none():
    """None is not sent for a column that the server fills."""
    with Session.begin() as session:
        lead = LeadShown(company="eager none", owner_id=None)
        session.add(lead)
        session.flush()
        return name(session, lead.owner_id)


def change_unread():
    """Only what has changed is written."""
    with Session.begin() as session:
        lead = Lead(company="unread")
        session.add(lead)
        session.flush()
        lead.stage = "talking"
        session.flush()
        session.refresh(lead)
        return lead.stage, lead.owner.name


def release():
    with Session.begin() as session:
        lead = Lead(company="release")
        session.add(lead)
        session.flush()
        session.refresh(lead)
        before = lead.owner.name
        lead.stage = "talking"
        lead.owner_id = None
        session.flush()
        session.refresh(lead)
        kept = lead.owner.name
        lead.owner_id = None
        session.flush()
        session.refresh(lead)
        return before, kept, lead.owner.name


def by_position():
    """Leads of one flush get their keys by position."""
    leads = [Lead(company=f"c{n}", email=f"lead{n % 90}@example.com", stage="spam" if n % 7 == 0 else "new") for n in range(100)]
    with Session.begin() as session:
        session.add_all(leads)
        session.flush()
        keys = {lead.id: lead.company for lead in leads}
        session.expire_all()
        wrong = [key for key, company in keys.items() if session.get(Lead, key).company != company]
        return len(keys), len(wrong)


def upsert():
    """ON CONFLICT that copies every column of the row that is not stored."""
    with Session.begin() as session:
        seen = []
        for stage in ("new", "talking"):
            row = insert(Lead).values(company="upsert", stage=stage, owner_id=None)
            row = row.on_conflict_do_update(index_elements=["company"], set_={"stage": row.excluded.stage, "owner_id": row.excluded.owner_id})
            seen.append(session.execute(row.returning(Lead.owner_id)).scalar_one())
        return seen[0] is not None, seen[0] == seen[1]


seen = globals()[sys.argv[1]]()
print(*seen if isinstance(seen, tuple) else [seen])
